"""The scheduler inside a Flask application, under WSGI.

    gunicorn flask_app:app --worker-class gthread --threads 8

REST and server-sent events go through a2wsgi; a WebSocket is answered 404, as WSGI has none. A
stream of events keeps a thread of the server for as long as somebody listens.
"""

from a2wsgi import ASGIMiddleware
from flask import Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import create_app

scheduler = AdvancedTaskScheduler()


@scheduler.task(task_id="greet")
def greet(name: str) -> str:
    return f"hello {name}"


app = Flask(__name__)
jobs = ASGIMiddleware(create_app(scheduler, run=False))
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/jobs": jobs})


@app.post("/greetings")
def plan() -> dict[str, str]:
    """The host's own route."""
    return {"execution_id": greet.schedule(request.args["name"])}


# WSGI has no lifespan: this runs the engine in a thread until the process ends. With gunicorn's
# --preload call it in the hook post_fork instead, since threads do not survive a fork.
scheduler.run_until_exit()
