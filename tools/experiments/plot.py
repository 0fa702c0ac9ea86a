"""Plots as SVG: lines over a linear or logarithmic axis, and bars; what the experiments need."""

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 200, 40, 50
COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8f5db7", "#c98a1b", "#3b3b3b", "#17a2a2", "#a04020")


@dataclass
class Line:
    """One series: its name, and (x, y) in order of x."""
    name: str
    points: list
    dashed: bool = False


@dataclass
class Axis:
    """What an axis says, and its scale; `steps`: where it has marks, else they are chosen."""
    title: str
    log: bool = False
    steps: list = field(default_factory=list)
    low: float = None
    high: float = None

    def fit(self, values):
        """Takes the range of the values, where none was given."""
        values = [v for v in values if not self.log or v > 0] or [1]
        if self.low is None:
            self.low = min(values) if self.log else min(0, *values)
        if self.high is None:
            self.high = max(values)
        if self.log:
            self.low, self.high = 10 ** math.floor(math.log10(self.low)), self.high * 1.1
        if self.high <= self.low:
            self.high = self.low + 1
        self.steps = self.steps or self._choose()

    def _choose(self):
        if self.log:
            decades = range(round(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [10 ** d for d in decades if 10 ** d <= self.high]
        scale = 10 ** math.floor(math.log10((self.high - self.low) / 8))
        step = next(m * scale for m in (1, 2, 5, 10, 20) if m * scale * 8 >= self.high - self.low)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, int(self.high / step) + 1)]

    def part(self, value):
        """Where on the axis, 0 to 1."""
        if self.log:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def number(value):
    """Text of a mark: 1000 and more get a space, no more digits than needed."""
    return f"{value:,.0f}".replace(",", " ") if value >= 1000 else f"{value:.4g}"


class Picture:
    """The SVG text that grows."""

    def __init__(self, title, height=HEIGHT):
        self.height = height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
            f'<title>{escape(title)}</title>',
            '<rect width="100%" height="100%" fill="white"/>']
        self.text(LEFT, 22, title, size=15)

    def text(self, x, y, text, anchor="start", size=12, turn=False):
        turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                          f'font-size="{size}"{turned}>{escape(text)}</text>')

    def rule(self, x1, y1, x2, y2, colour="#ddd", width=1, dashed=False):
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"{dash}/>')

    def add(self, text):
        self.parts.append(text)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.parts + ["</svg>"]) + "\n")


def axes_draw(picture, x, y):
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in x.steps:
        at = LEFT + x.part(value) * (right - LEFT)
        picture.rule(at, TOP, at, bottom)
        picture.text(at, bottom + 16, number(value), "middle")
    for value in y.steps:
        at = bottom - y.part(value) * (bottom - TOP)
        picture.rule(LEFT, at, right, at)
        picture.text(LEFT - 6, at + 4, number(value), "end")
    picture.rule(LEFT, bottom, right, bottom, "#333")
    picture.rule(LEFT, TOP, LEFT, bottom, "#333")
    picture.text((LEFT + right) / 2, HEIGHT - 12, x.title, "middle")
    picture.text(16, (TOP + bottom) / 2, y.title, "middle", turn=True)


def lines_write(path, title, x, y, lines, marks=True):
    """Series over x, with a legend; `marks`: a dot at each point."""
    picture = Picture(title)
    x.fit([p[0] for line in lines for p in line.points])
    y.fit([p[1] for line in lines for p in line.points])
    axes_draw(picture, x, y)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for i, line in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        at = [(LEFT + x.part(a) * (right - LEFT), bottom - y.part(b) * (bottom - TOP))
              for a, b in line.points]
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in at)
        picture.add(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                    f'stroke-width="2"{dash}/>')
        for a, b in at if marks else ():
            picture.add(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>')
        level = TOP + 10 + 20 * i
        picture.rule(right + 12, level, right + 36, level, colour, 2, line.dashed)
        picture.text(right + 42, level + 4, line.name)
    picture.write(path)


def bars_write(path, title, axis, groups):
    """groups: [(name, [(bar's name, value)])]; bars lie, with their values behind them."""
    bar, gap = 16, 14
    height = TOP + BOTTOM + sum(len(b) * bar + gap for _, b in groups)
    picture = Picture(title, height)
    axis.fit([v for _, bars in groups for _, v in bars])
    left, right, at = LEFT + 90, WIDTH - 130, TOP
    names = list(dict.fromkeys(n for _, bars in groups for n, _ in bars))
    for value in axis.steps:
        x = left + axis.part(value) * (right - left)
        picture.rule(x, TOP, x, height - BOTTOM)
        picture.text(x, height - BOTTOM + 16, number(value), "middle")
    for name, bars in groups:
        picture.text(left - 8, at + len(bars) * bar / 2 + 4, name, "end")
        for label, value in bars:
            colour = COLOURS[names.index(label) % len(COLOURS)]
            width = max(axis.part(value) * (right - left), 0)
            picture.add(f'<rect x="{left}" y="{at}" width="{width:.1f}" height="{bar - 2}" '
                        f'fill="{colour}"/>')
            picture.text(left + width + 4, at + 11, f"{number(value)} {label}", size=10)
            at += bar
        at += gap
    picture.text((left + right) / 2, height - 12, axis.title, "middle")
    picture.write(path)
