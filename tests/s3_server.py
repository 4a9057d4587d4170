"""An S3 server on the loopback: moto's, in an environment of its own.

Its libraries want an older python-dateutil than ours, so it is a program, not an import. It is
installed where it is missing (`make test` does so before).
"""

import subprocess
import sys
import time
import urllib.request
import venv
from contextlib import contextmanager
from pathlib import Path

from tests.processes import free_port
from tests.waiting import PATIENCE

HOME = Path(sys.prefix) / "s3"
REQUIRED = Path(__file__).with_name("s3-server.txt")
BUCKET = "sweeps"


def environment(endpoint):
    """Return what a client needs to know."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }


def program():
    """Return the path of the server, installed if need be."""
    found = HOME / "bin" / "moto_server"
    if not found.exists():
        venv.create(HOME, with_pip=True, clear=True)
        pip = [HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", REQUIRED]
        subprocess.run(pip, check=True)
    return found


@contextmanager
def serving():
    """Yield the URL of a running server and the name of an empty bucket."""
    port = free_port()
    command = [program(), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _create_bucket(process, endpoint)
        yield endpoint, BUCKET
    finally:
        process.kill()
        process.wait()


def _create_bucket(process, endpoint):
    end = time.monotonic() + PATIENCE
    while True:
        request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except OSError:
            assert process.poll() is None, "the S3 server ended"
            assert time.monotonic() < end, "the S3 server does not answer"
            time.sleep(0.1)
