"""A comparison to draw, with known figures."""

from neo_magics.widgets.comparison_view import ComparisonView, SideView


def comparison(before: float = 0.2, after: float = 0.1) -> ComparisonView:
    """Sixty runs a side around `before` and `after` ms."""
    sides = tuple(
        SideView(
            label,
            [middle * (0.9 + 0.2 * (index % 10) / 9) for index in range(60)],
            middle,
            middle * 1.1,
            size=104_000,
            load=0.123,
            memory=88e6,
            accuracy=0.9891,
            difference=difference,
        )
        for label, middle, difference in (("PyTorch 2.13", before, ""), ("compiled", after, "2.4e-07"))
    )
    faster = after < before
    ratio = before / after if faster else after / before
    return ComparisonView(
        verdict=f"{ratio:.1f} × {'faster' if faster else 'slower'}",
        ratio=before / after,
        direction="faster" if faster else "slower",
        certainty="95 % interval 1.9 to 2.1",
        sides=(sides[0], sides[1]),
        conditions="2 threads, 6 alternating rounds.",
    )
