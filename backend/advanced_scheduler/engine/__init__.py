"""The only asynchronous code of the core: claims, runs and settles executions, fires schedules."""
