"""URLs of the project."""

urlpatterns: list = []
