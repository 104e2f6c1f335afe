"""Train three kinds of forest on handwritten digits with ten seeds: python make_results.py."""

import csv
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

ARMS = {
    "forest": lambda seed: RandomForestClassifier(100, random_state=seed),
    "forest, 300 trees": lambda seed: RandomForestClassifier(300, random_state=seed),
    "extra trees": lambda seed: ExtraTreesClassifier(100, random_state=seed),
}
"""What is compared, each a function of the seed."""


def row(arm, seed):
    """Train one arm with one seed; the seed splits the data, too, so that arms can be paired."""
    images, digits = load_digits(return_X_y=True)
    parts = train_test_split(images, digits, test_size=0.5, random_state=seed, stratify=digits)
    train_images, test_images, train_digits, test_digits = parts
    model = ARMS[arm](seed).fit(train_images, train_digits)
    accuracy = 100 * model.score(test_images, test_digits)
    loss = log_loss(test_digits, model.predict_proba(test_images))
    return {"seed": seed, "arm": arm, "accuracy": f"{accuracy:.4f}", "log loss": f"{loss:.6f}"}


if __name__ == "__main__":
    rows = [row(arm, seed) for arm in ARMS for seed in range(10)]
    with Path(__file__).with_name("results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
