"""The picture of record.py's result, for the README: a group of bars for each payload size."""

from rig import RESULTS

SERIES = [
    ("ring", "zcap, ring", "#0a7c66"), ("cold", "zcap, new segments", "#3db39a"),
    ("mcap", "Python + MCAP", "#c2703d"), ("sqlite", "Python + SQLite", "#8d8d8d"),
]
LEFT, TOP, HEIGHT, BAR, GAP = 44, 58, 200, 24, 34
SIZES = {64: "64 B", 1 << 10: "1 KiB", 16 << 10: "16 KiB", 256 << 10: "256 KiB", 4 << 20: "4 MiB"}


def write_chart(summaries):
    summaries = [each for each in summaries if (each["transport"], each["endpoints"]) == ("tcp", 1)]
    group = BAR * len(SERIES) + GAP
    width = LEFT + group * len(summaries) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{TOP + HEIGHT + 34}"'
        ' font-family="sans-serif" font-size="12">',
        # A grey that reads on white and on black.
        '<g fill="#808080"><text x="0" y="14">messages per second, as a part of what libzmq delivers'
        " to a receiver that stores nothing</text>",
    ]
    place = LEFT
    for _, name, colour in SERIES:
        parts.append(f'<rect x="{place}" y="26" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text x="{place + 16}" y="36">{name}</text>')
        place += 34 + 7 * len(name)
    for part in [0, 0.25, 0.5, 0.75, 1]:
        y = TOP + HEIGHT * (1 - part)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{part:g}</text>')
        parts.append(
            f'<line x1="{LEFT}" x2="{width}" y1="{y:.0f}" y2="{y:.0f}" stroke="#808080"'
            ' stroke-opacity="0.35"/>')
    for number, summary in enumerate(summaries):
        x = LEFT + GAP // 2 + group * number
        for name, _, colour in SERIES:
            if name not in summary["contenders"]:
                continue
            ratio = summary["contenders"][name]["ratio"]
            height = HEIGHT * min(ratio, 1.1)
            y = TOP + HEIGHT - height
            parts.append(
                f'<rect x="{x}" y="{y:.1f}" width="{BAR - 3}" height="{height:.1f}" fill="{colour}"/>')
            parts.append(
                f'<text x="{x + BAR / 2 - 1.5:.1f}" y="{y - 3:.1f}" font-size="9"'
                f' text-anchor="middle">{ratio:.2f}</text>')
            x += BAR
        middle = LEFT + GAP // 2 + group * number + BAR * len(SERIES) / 2
        parts.append(
            f'<text x="{middle:.0f}" y="{TOP + HEIGHT + 20}" text-anchor="middle">'
            f"{SIZES[summary['payload_bytes']]}</text>")
    parts.append("</g></svg>")
    (RESULTS / "record.svg").write_text("\n".join(parts) + "\n")
    print("saved scripts/bench-results/record.svg")
