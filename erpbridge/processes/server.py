"""The web server of ``manage.py serve``: ``python -m erpbridge.processes.server HOST PORT``.

A program of its own, which the command becomes at its end. Gunicorn's parent process only watches
the one that serves, so it must not have the product in its memory: nothing of Django is imported
here before the fork.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from erpbridge.processes import gunicorn_conf


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn with one process of eight threads; otherwise as in production."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        super().__init__()

    def load_config(self) -> None:
        """Set all options here, in place of a command line."""
        display_host = f"[{self.host}]" if ":" in self.host else self.host
        options: dict[str, Any] = {
            "bind": f"{display_host}:{self.port}",
            "workers": 1,
            "worker_class": gunicorn_conf.worker_class,
            "threads": gunicorn_conf.threads,
            "limit_request_line": gunicorn_conf.limit_request_line,
            "graceful_timeout": 8,
            "loglevel": "warning",
            "proc_name": "erpbridge",
            "control_socket_disable": True,
            "post_worker_init": self._start_worker,
            "worker_exit": _stop_worker,
            "on_exit": _forget_address,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., object]:
        """Return the WSGI application, in the process that serves."""
        from django.conf import settings

        if not settings.PRODUCTION:
            warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
        # Imported after the filter, because the import sets up Django, which would warn.
        from erpbridge.wsgi import application

        return application

    def _start_worker(self, server_process: object) -> None:
        from erpbridge.processes import embedded, listen_address

        embedded.post_worker_init(server_process)
        # What is loaded now stays: collections need not look at it again and again.
        gc.collect()
        gc.freeze()
        listen_address.keep(listen_address.of(self.host, self.port))
        display_host = f"[{self.host}]" if ":" in self.host else self.host
        sys.stdout.write(
            f"erpbridge is ready at http://{display_host}:{self.port}/  (Ctrl-C ends it)\n"
        )
        sys.stdout.flush()


def _stop_worker(arbiter: object, server_process: object) -> None:
    from erpbridge.processes import embedded

    embedded.worker_exit(arbiter, server_process)


def _forget_address(_arbiter: object) -> None:
    from erpbridge.processes import listen_address

    listen_address.forget()


if __name__ == "__main__":
    Server(sys.argv[1], int(sys.argv[2])).run()
