"""The interfaces of other documents, thin, over the one engine."""
