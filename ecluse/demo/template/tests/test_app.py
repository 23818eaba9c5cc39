"""The service over real HTTP, on a free port."""

import json
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from service import app


class QuietHandler(app.Handler):
    def log_message(self, *_):
        pass


class ServiceTest(unittest.TestCase):
    def setUp(self):
        self.server = app.make_server(0)
        self.server.RequestHandlerClass = QuietHandler
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def get(self, path):
        """The status and the document that ``path`` answers."""
        address = "http://127.0.0.1:{}{}".format(self.server.server_address[1], path)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(address, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def test_health_says_ok_and_the_version(self):
        self.assertEqual(self.get("/health"), (200, {"status": "ok", "version": app.Handler.version}))

    def test_a_plan(self):
        status, document = self.get("/locks?from=3&to=7")
        self.assertEqual(status, 200)
        self.assertEqual([chamber["to"] for chamber in document["chambers"]], [5, 7])
        self.assertEqual(document["minutes"], 8)

    def test_a_level_that_is_no_number_is_refused(self):
        self.assertEqual(self.get("/locks?from=3&to=high")[0], 400)
        self.assertEqual(self.get("/locks?from=3")[0], 400)

    def test_the_front_page_and_an_unknown_one(self):
        self.assertEqual(self.get("/")[0], 200)
        self.assertEqual(self.get("/boats")[0], 404)


class VersionTest(unittest.TestCase):
    def test_the_version_is_read_from_the_release_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(app.read_version(Path(folder)), "dev")
            Path(folder, "RELEASE").write_text("1.2.3\n", encoding="utf-8")
            self.assertEqual(app.read_version(Path(folder)), "1.2.3")
