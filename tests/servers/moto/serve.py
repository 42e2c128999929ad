"""moto's S3, one request at a time.

moto looks whether a key is there and then puts it, and between the two another thread may do the same:
two racing puts are told that they won, in about one of thirty races of sixteen when threads switch
often, once in hundreds of runs otherwise. What it answers is S3's; a lock makes it hold in a race too.
"""

import argparse
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple


def one_at_a_time(app):
    """The WSGI application `app`, which then never runs in two threads."""
    lock = threading.Lock()

    def locked(environ, start_response):
        with lock:
            return app(environ, start_response)

    return locked


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, help="of 127.0.0.1")
    port = parser.parse_args().port
    app = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    # With threads, so that a connection stays open without keeping others from theirs.
    run_simple("127.0.0.1", port, app, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
