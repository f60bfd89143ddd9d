"""The dashboard: pages rendered on the server, from the same service as REST.

A page is one function that takes a ``Visit`` and answers the names that its template needs::

    def nodes(visit: Visit) -> Context:
        return {"nodes": visit.service.cluster.nodes().items}

    PAGES = (Page("nodes", "nodes.html", "Nodes", nodes, nav=Nav("Nodes", "server", 60)),)

To add one: write a module with such a ``PAGES``, a template in ``templates/`` that extends
``layout.html``, and name the module in ``catalog.py``. A function asks the service alone, never
a store; what it raises as ``Problem`` or ``SchedulerError`` becomes a page that says so.

In templates, ``parts.html`` has the macros (badges, times, tables, pagers, actions, filters).
An address is made by ``visit.link("executions", one.id)``: it is relative, so any mount prefix
works. What lies in ``<section data-live="name">`` is fetched again when events come, and put in
place if it differs; ``static/live.js`` says what else markup can ask for. An action is a form
``data-api="POST executions/ID/retry"``: the call of REST that it makes. A page must read well
without scripts, and has no inline style or script: the policy of the router forbids both.
"""

from .router import pages_router

__all__ = ["pages_router"]
