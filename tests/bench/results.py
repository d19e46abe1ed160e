"""What was measured: medians over the rounds, the printed tables, the targets."""

import statistics


class Results:
    """Samples by scenario, subject and figure, in the order in which they were first added."""

    def __init__(self):
        self._samples = {}
        self.notes = []

    def add(self, scenario, subject, figures):
        kept = self._samples.setdefault(scenario, {}).setdefault(subject, {})
        for name, value in figures.items():
            kept.setdefault(name, []).append(value)

    def median(self, scenario, subject, figure):
        """None where it was not measured."""
        samples = self._samples.get(scenario, {}).get(subject, {}).get(figure)
        return statistics.median(samples) if samples else None

    def ratio(self, scenario, subject, base, figure):
        value = self.median(scenario, subject, figure)
        limit = self.median(scenario, base, figure)
        return value / limit if value is not None and limit else None

    def note(self, text):
        self.notes.append(text)
        print(f"  note: {text}", flush=True)

    def as_dict(self):
        return {"samples": self._samples, "notes": self.notes}

    def print_table(self, scenario, columns, base=None):
        """Medians; behind each figure of the others its ratio to the base's, in brackets."""
        subjects = self._samples.get(scenario)
        if not subjects:
            return
        rows = [[scenario] + [title for title, _, _ in columns]]
        for subject in subjects:
            row = [subject]
            for _, figure, shape in columns:
                value = self.median(scenario, subject, figure)
                text = "-" if value is None else shape.format(value)
                ratio = self.ratio(scenario, subject, base, figure) if base else None
                if ratio is not None and subject != base:
                    text += f" ({ratio:.2f})"
                row.append(text)
            rows.append(row)
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        print()
        for row in rows:
            cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
            print("  ".join(cells).rstrip())


def print_target(text, value, limit, at_least):
    """One line: met, not met, or not measured. Returns the line's facts for the JSON file."""
    sign = ">=" if at_least else "<="
    if value is None:
        outcome = "not measured"
        shown = "-"
    else:
        outcome = "met" if (value >= limit if at_least else value <= limit) else "NOT MET"
        shown = f"{value:.2f}"
    print(f"{outcome:>12}  {text}: {shown} (target {sign} {limit})")
    return {"target": text, "value": value, "limit": limit, "outcome": outcome}
