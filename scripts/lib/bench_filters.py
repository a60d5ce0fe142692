"""Times our filters, OpenCV and libvips in turn, on one picture and one thread, and prints a Markdown table.

Arguments: our program (codec's example bench_filters), a folder for the picture, rounds, and words that the
rows' names must contain (none: all rows). Each round runs every subject of every row once, one right after the other, so that
whatever else the machine does hits all of them alike; the medians are over the rounds, the ratio is of medians. Times are of
the processor, but for two threads against one, which is of the clock on the wall and means something on idle cores only.
"""

import os
import statistics
import subprocess
import sys
import time

import cv2
import numpy as np
import pyvips

cv2.setNumThreads(1)
program, folder, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
ours = subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
width, height = map(int, ours.stdout.readline().split())
rgb = np.fromfile(f"{folder}/picture.rgb", np.uint8).reshape(height, width, 3)
jpeg = open(f"{folder}/picture.jpg", "rb").read()
vips = pyvips.Image.new_from_memory(rgb, width, height, 3, "uchar").copy(interpretation="srgb")
# libvips keeps results; a benchmark must not.
pyvips.cache_set_max(0)


def ask(line):
    ours.stdin.write(line + "\n")
    ours.stdin.flush()
    return float(ours.stdout.readline())


SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32)


def sharpen():
    soft = cv2.GaussianBlur(rgb, (0, 0), 1)
    return cv2.addWeighted(rgb, 2, soft, -1, 0)


def sobel():
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(gray, cv2.CV_16S, 1, 0), cv2.Sobel(gray, cv2.CV_16S, 0, 1)
    return cv2.add(cv2.convertScaleAbs(across), cv2.convertScaleAbs(down))


def equalize():
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    luma[:, :, 0] = cv2.equalizeHist(luma[:, :, 0])
    return cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)


# What, our line, the others by name, must, stretch.
ROWS = [
    ("grayscale", "alone grayscale", {"OpenCV": lambda: cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)}, 1.5, 1.0),
    ("sepia", "alone sepia", {"OpenCV": lambda: cv2.transform(rgb, SEPIA)}, 1.5, 1.0),
    (
        "Gauss σ 2",
        "alone blur:2",
        {
            "OpenCV": lambda: cv2.GaussianBlur(rgb, (0, 0), 2),
            "libvips": lambda: vips.gaussblur(2, precision="integer").write_to_memory(),
        },
        1.5,
        1.0,
    ),
    ("Gauss σ 20", "alone blur:20", {"OpenCV": lambda: cv2.GaussianBlur(rgb, (0, 0), 20)}, 0.6, 0.2),
    ("equalize", "alone equalize", {"OpenCV": equalize}, 1.0, 0.7),
    ("box r 34", "alone box:34", {"OpenCV": lambda: cv2.blur(rgb, (69, 69))}, 1.2, 1.0),
    ("unsharp, σ 1", "alone sharpen", {"OpenCV": sharpen}, 1.3, 1.0),
    ("Sobel", "alone edges", {"OpenCV": sobel}, 0.8, 0.5),
    (
        "resize to 1024",
        "alone resize:1024",
        {"libvips": lambda: vips.resize(1024 / width, kernel="lanczos3").write_to_memory()},
        0.7,
        0.35,
    ),
    (
        "JPEG to thumbnail",
        "thumbnail",
        {"libvips": lambda: pyvips.Image.thumbnail_buffer(jpeg, 512).jpegsave_buffer(Q=80)},
        1.5,
        1.0,
    ),
    (
        "JPEG q92 encode",
        "encode",
        {"libvips": lambda: vips.jpegsave_buffer(Q=92, subsample_mode="off")},
        3.0,
        1.2,
    ),
]
ROWS = [row for row in ROWS if not sys.argv[4:] or any(word in row[0] for word in sys.argv[4:])]
CHAIN = "sepia+blur:2+sharpen+contrast:20+brightness:10"


def timed(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def judged(value, must, stretch, better=lambda a, b: a <= b):
    if better(value, stretch):
        return "stretch met"
    return "met" if better(value, must) else "**not met**"


times = {}
for turn in range(rounds + 1):
    # The first round warms up.
    note = (lambda key, value: times.setdefault(key, []).append(value)) if turn else (lambda key, value: None)
    for what, line, others, _, _ in ROWS:
        note((what, "ours"), ask(line))
        for name, work in others.items():
            note((what, name), timed(work))
    if not sys.argv[4:]:
        note(("chain", 1), ask(f"apply 1 {CHAIN}"))
        note(("chain", 2), ask(f"apply 2 {CHAIN}"))
ours.stdin.close()
ours.wait()
if not sys.argv[4:]:
    # A process of its own, which gives memory back.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    lines = "".join(f"memory {threads} {CHAIN}\n" for threads in (1, 2))
    told = subprocess.run([program, folder], input=lines, stdout=subprocess.PIPE, text=True, env=plain, check=True)
    _, one, two = told.stdout.split("\n")[:3]
    times["chain", "memory 1"], times["chain", "memory 2"] = [float(one)], [float(two)]
median = {key: statistics.median(values) for key, values in times.items()}

print(f"{width}×{height} RGB, one thread, processor time, medians of {rounds} interleaved rounds; OpenCV {cv2.__version__}, "
      f"libvips {pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}\n")
print("| filter | ours | others | ratio | must | stretch | |\n|---|---|---|---|---|---|---|")
for what, _, others, must, stretch in ROWS:
    best = min(median[what, name] for name in others)
    ratio = median[what, "ours"] / best
    shown = ", ".join(f"{name} {median[what, name] * 1000:.0f} ms" for name in others)
    print(f"| {what} | {median[what, 'ours'] * 1000:.0f} ms | {shown} | {ratio:.2f} × | ≤ {must} × | ≤ {stretch} × "
          f"| {judged(ratio, must, stretch)} |")
if not sys.argv[4:]:
    gain = median["chain", 1] / median["chain", 2]
    print(f"| two threads, `{CHAIN}` | {median['chain', 2] * 1000:.0f} ms | one thread {median['chain', 1] * 1000:.0f} ms "
          f"| {gain:.2f} × | ≥ 1.7 × | ≥ 1.9 × | {judged(gain, 1.7, 1.9, lambda a, b: a >= b)} |")
    image = rgb.size
    for threads in (1, 2):
        grown = median["chain", f"memory {threads}"] / image
        print(f"| memory of that chain beside the source, result included, {threads} thread{'s' * (threads > 1)} "
              f"| {grown * image / 1e6:.0f} MB | the image {image / 1e6:.0f} MB | {grown:.2f} × | ≤ 2 × | bands only "
              f"| {judged(grown, 2.0, 1.25)} |")
