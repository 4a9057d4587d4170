"""A PostgreSQL server that tests start themselves, and may stop: that of the `pgserver` wheel."""

import shutil
import tempfile
import warnings


class PostgreSQL:
    """A server of this machine, without a network.

    Its folder is not among those of the tests, which are root's alone where root runs them: the
    server runs as another user then.
    """

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postgresql-")
        self.start()
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # no power cut here
            self._server.psql(f"ALTER SYSTEM SET {setting} = off")
        self._server.psql("SELECT pg_reload_conf()")

    def start(self):
        """Start the server, with the data that it had."""
        with warnings.catch_warnings():  # where there is no folder for sockets it takes another
            warnings.simplefilter("ignore")
            import pgserver

            self._server = pgserver.get_server(self.folder, cleanup_mode="stop")
        self.url = self._server.get_uri()

    def stop(self):
        """Stop the server: whoever is connected is cut off."""
        self._server.cleanup()

    def remove(self):
        """Stop the server for good."""
        self.stop()
        shutil.rmtree(self.folder)
