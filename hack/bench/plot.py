"""The ratios of a run as a picture: one bar each, with the spread over the rounds."""

from xml.sax.saxutils import escape

from report import RATIO_TITLES

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 320, 90, 30, 64
BAR, SPREAD, LINE, TEXT = "#3b6ea5", "#e08a00", "#333333", "#222222"


def svg(results):
    rows = [(RATIO_TITLES[name], value, results["spread"][name]) for name, value in results["ratios"].items()]
    most = max([1.0, *(spread["max"] for _, _, spread in rows)])
    height = TOP + ROW * len(rows) + 44
    scale = (WIDTH - LEFT - RIGHT) / most

    def text(x, y, content, anchor="start", size=14):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{TEXT}" '
                f'paint-order="stroke" stroke="white" stroke-width="3">{escape(content)}</text>')

    environment = results["environment"]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             text(16, 26, f"meshnode {environment['meshnode']} beside Envoy {environment['envoy']}", size=17),
             text(16, 47, "median of the ratios of all rounds; the thin line reaches from the least to the most", size=12)]
    for number, (title, value, spread) in enumerate(rows):
        y = TOP + ROW * number
        parts += [text(LEFT - 12, y + 19, title, "end"),
                  f'<rect x="{LEFT}" y="{y + 5}" width="{value * scale:.1f}" height="18" fill="{BAR}"/>',
                  f'<line x1="{LEFT + spread["min"] * scale:.1f}" x2="{LEFT + spread["max"] * scale:.1f}" y1="{y + 14}" '
                  f'y2="{y + 14}" stroke="{SPREAD}" stroke-width="2"/>',
                  text(LEFT + max(value, spread["max"]) * scale + 8, y + 19, f"{value:.2f}")]
    bottom = TOP + ROW * len(rows)
    parts += [f'<line x1="{LEFT + scale:.1f}" x2="{LEFT + scale:.1f}" y1="{TOP - 4}" y2="{bottom + 4}" '
              f'stroke="{LINE}" stroke-dasharray="4 3"/>',
              text(LEFT + scale, bottom + 18, "Envoy", "middle", 12),
              text(16, bottom + 34, f"{environment['cpu']}, {environment['cores']} cores, Linux {environment['kernel']}, "
                   f"{environment['openssl']}, {environment['congestion_control']}", size=11), "</svg>"]
    return "\n".join(parts) + "\n"
