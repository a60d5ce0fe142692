"""Pictures for the gallery, and the browser that clicks through it, by the DevTools protocol over a pipe.

    gallery.py paint FOLDER N                                     N pictures; the path of the last one
    gallery.py click BROWSER PROFILE URL N SHOTS PID COMMAND…     N images are there, COMMAND adds late.png, PID is the gallery
"""

import base64
import fcntl
import json
import math
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe""".split()
PATIENCE = 30


def paint(folder, n):
    """Hills before a sky, each with other colours; some upright."""
    os.makedirs(folder, exist_ok=True)
    for i in range(n):
        draw = random.Random(i + n)
        width, height = (400, 600) if i % 4 == 2 else (600, 400)
        sky, land = [[draw.randrange(90, 240) for _ in "rgb"] for _ in "ab"]
        hills = [(draw.uniform(0.004, 0.02), draw.uniform(0, 6), draw.uniform(0.4, 0.8)) for _ in range(3)]
        rows = bytearray()
        lines = [[height * (at + 0.09 * math.sin(x * wave + turn)) for x in range(width)] for wave, turn, at in hills]
        for y in range(height):
            rows.append(0)
            for x in range(width):
                depth = sum(y > line[x] for line in lines)
                color = [c * (1 - 0.45 * y / height) for c in sky] if not depth else [c * (1.1 - 0.3 * depth) for c in land]
                rows.extend(min(255, int(c)) for c in color)
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        path = os.path.join(folder, f"skye-{i + 1:02}.png")
        with open(path, "wb") as out:
            head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    print(path)


class Browser:
    """One tab of a browser with a new profile."""

    def __init__(self, program, profile):
        (theirs_in, self.out), (self.inn, theirs_out) = os.pipe(), os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        words = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(words, preexec_fn=place, close_fds=False, stderr=subprocess.DEVNULL)
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        self.rest, self.number, self.session, self.complaints = b"", 0, None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        self.ask("Page.bringToFront")

    def ask(self, method, **params):
        self.number += 1
        words = {"id": self.number, "method": method, "params": params}
        if self.session:
            words["sessionId"] = self.session
        os.write(self.out, json.dumps(words).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.inn, 1 << 20)
                assert more, "the browser ended"
                self.rest += more
            line, self.rest = self.rest.split(b"\0", 1)
            told = json.loads(line)
            self.listen(told.get("method"), told.get("params", {}))
            if told.get("id") == self.number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]

    def listen(self, method, params):
        """Whatever would stand red on the console."""
        if method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            url = params["entry"].get("url", "")
            # Bytes on their way are asked for again.
            if "/small/" not in url or "404" not in params["entry"]["text"]:
                self.complaints.append(f"{params['entry']['text']} {url}")

    def eval(self, code):
        told = self.ask("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in told, f"{code}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def until(self, what, code):
        end = time.monotonic() + PATIENCE
        while not self.eval(f"!!({code})"):
            assert time.monotonic() < end, f"waited in vain for {what}: {self.eval('document.body.innerText')}"
            time.sleep(0.02)
        print(f"  ok: {what}")

    def click(self, selector):
        place = self.eval(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'nearest'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def key(self, key):
        text = {"text": "\r"} if key == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=KEYS[key], **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=KEYS[key])

    def width(self, width, height, scale=1):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 500)

    def shoot(self, folder, name):
        if folder:
            self.until("pictures are drawn", "[...document.images].every((i) => !i.src || i.complete) && !document.getAnimations().length")
            with open(os.path.join(folder, f"{name}.png"), "wb") as out:
                out.write(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))


KEYS = {"Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13}
HERE = "document.querySelectorAll('.frame.here').length"
NARROW = "document.documentElement.scrollWidth <= innerWidth"


def click(program, profile, url, n, shots, gallery, *command):
    n = int(n)
    it = Browser(program, profile)
    try:
        it.width(1280, 800)
        it.ask("Page.navigate", url=url)
        it.until("the album's name", "document.querySelector('h1')?.innerText === 'Isle of Skye'")
        it.until(f"{n} images counted", f"document.querySelector('#about').innerText.startsWith('{n} images')")
        it.until("pictures", f"{HERE} >= 8 && ![...document.querySelectorAll('.frame')].some((f) => !f.matches('.here'))")
        it.until("both online", "document.querySelectorAll('#members .online').length === 2")
        assert "token" not in it.eval("location.href"), it.eval("location.href")
        it.shoot(shots, "grid-1280")
        it.until("nothing wider than the window", NARROW)
        sideways(it, shots, "1280")
        it.eval("document.querySelector('.tile').focus()")
        it.key("ArrowRight")
        it.key("Enter")
        it.until("the second image by the keyboard", "document.querySelector('#viewer[open]')")
        it.until("its version", "document.querySelector('#versions button')?.innerText.includes('sepia+vignette')")
        it.until("ratings by member", "document.querySelectorAll('#ratings li').length === 2")
        it.shoot(shots, "image-1280")
        it.key("ArrowLeft")
        it.until("the image before it", "document.querySelector('#previous').disabled")
        it.key("Escape")
        it.until("the grid again", "!document.querySelector('#viewer[open]')")

        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        it.until("what bob added meanwhile", f"document.querySelector('#about').innerText.startsWith('{n + 1} images')")
        it.until("who added it", "document.querySelector('#news.told')?.innerText === 'bob added late.png'")

        it.width(390, 844, 2)
        it.until("two columns on a phone", "getComputedStyle(document.querySelector('#tiles')).gridTemplateColumns.split(' ').length === 2")
        it.until("nothing wider than a phone", NARROW)
        it.shoot(shots, "grid-390")
        sideways(it, shots, "390")
        it.width(1280, 800)
        it.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        it.shoot(shots, "grid-dark")
        it.eval("document.querySelector('#search').value = 'nobody'; document.querySelector('#search').oninput()")
        it.until("a search that finds nothing says so", "document.querySelector('#empty').innerText.startsWith('Nothing is called that')")
        assert not it.complaints, it.complaints
        print("  ok: nothing on the console")

        os.kill(int(gallery), signal.SIGTERM)
        it.until("the page says that it was left", "document.querySelector('#banner').innerText.includes('connection is lost')")
    finally:
        it.process.terminate()
        it.process.wait()


def sideways(it, shots, name):
    """Finds the version by its name, opens it, lays the source over it, and closes it."""
    it.eval("document.querySelector('#search').value = 'evening'; document.querySelector('#search').oninput()")
    it.until("the search finds one", f"{HERE} === 1 && document.querySelector('.made').innerText === 'sepia+vignette:40 ✓'")
    it.click(".tile")
    it.until("its recipe", "document.querySelector('#recipe')?.innerText.split('\\n').join('+') === 'sepia+vignette:40'")
    it.until("verified ✓", "document.querySelector('#verified').innerText.startsWith('verified ✓')")
    it.until("the source beside it", "!document.querySelector('#before').hidden && document.querySelector('#before').complete")
    it.until("the large picture", "document.querySelector('#picture').src.includes('/large/')")
    it.until("nothing wider than the window", NARROW)
    it.shoot(shots, f"version-{name}")
    it.click("#close")
    it.until("the grid again", "!document.querySelector('#viewer[open]')")
    it.eval("document.querySelector('#search').value = ''; document.querySelector('#search').oninput()")
    it.until("all of them again", f"{HERE} > 5")


if __name__ == "__main__":
    {"paint": lambda folder, n: paint(folder, int(n)), "click": click}[sys.argv[1]](*sys.argv[2:])
