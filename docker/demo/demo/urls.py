from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from demo.inbox import inbox

urlpatterns = [
    path("admin/", admin.site.urls),
    path("inbox/", inbox),
    path("chroniker/", include("chroniker.urls")),
    path("", RedirectView.as_view(pattern_name="admin:chroniker_job_now")),
]
