"""The scheduler beside a Django project, under ASGI.

    uvicorn django_app:application

Django has no lifespan. So a small Starlette application stands in front: it starts and stops the
scheduler with the server, sends /jobs to it, and everything else to Django. In a project this is
`asgi.py`. Under WSGI do as `flask_app.py` does.
"""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from starlette.applications import Starlette
from starlette.routing import Mount

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import create_app

if not settings.configured:  # a project has a settings module
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])
    django.setup()

scheduler = AdvancedTaskScheduler()


@scheduler.task(task_id="greet")
def greet(name: str) -> str:
    return f"hello {name}"


def plan(request: HttpRequest) -> JsonResponse:
    """A view: calls of the scheduler are plain ones."""
    return JsonResponse({"execution_id": greet.schedule(request.GET["name"])})


urlpatterns = [path("greetings", plan)]

application = Starlette(
    routes=[
        Mount("/jobs", create_app(scheduler, run=False)),
        Mount("/", get_asgi_application()),
    ],
    lifespan=scheduler.lifespan,
)
