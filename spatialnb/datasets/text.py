"""TF-IDF features of texts with scikit-learn, fitted on the training split only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from spatialnb.datasets.content import split_names
from spatialnb.extras import needed


def review_tensors(files: Mapping[str, bytes], features: int) -> dict[str, Tensor]:
    """The tensors of {train,test}/{neg,pos}/<name>.txt in UTF-8.

    neg is 0, pos is 1; samples are in the order of `split_names`.

    Raises
    ------
    ValueError : a file is not UTF-8; names it.
    """
    names = {split: split_names(files, split) for split in ("train", "test")}
    texts = {split: [_utf8(name, files[name]) for name in names[split]] for split in names}
    labels = {split: [int("/pos/" in name) for name in names[split]] for split in names}
    return text_tensors(texts, labels, features)


def _utf8(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text ({error}); download it again") from error


def text_tensors(
    texts: Mapping[str, Sequence[str]], labels: Mapping[str, Sequence[int]], features: int
) -> dict[str, Tensor]:
    """TF-IDF of the `features` most frequent words of the training split, (n, features).

    A word is two or more word characters in lower case. With tf its count in a text, n the number
    of training texts and df the number of these that contain it,
    x = tf · (ln((1 + n) / (1 + df)) + 1), and each row is divided by its Euclidean norm. This is
    `TfidfVectorizer(max_features=features)`, except that ties in frequency are broken
    alphabetically. scikit-learn breaks them by a sort that differs between machines, and in IMDB 57
    words are tied for the last place.

    Parameters
    ----------
    texts, labels : for "train" and "test".
    features : number of words kept; columns are in alphabetical order.
    """
    text = needed("sklearn.feature_extraction.text")
    pattern = r"(?u)\b\w\w+\b"
    counter = text.CountVectorizer(lowercase=True, token_pattern=pattern, ngram_range=(1, 1))
    counts = counter.fit_transform(texts["train"])
    words = counter.get_feature_names_out()
    frequency = np.asarray(counts.sum(axis=0)).ravel()
    kept = np.sort(np.lexsort((np.arange(len(words)), -frequency))[:features])
    chosen = text.CountVectorizer(
        lowercase=True, token_pattern=pattern, ngram_range=(1, 1), vocabulary=list(words[kept])
    )
    weigh = text.TfidfTransformer(norm="l2", use_idf=True, smooth_idf=True, sublinear_tf=False)
    rows = {
        "train": weigh.fit_transform(counts[:, kept]),
        "test": weigh.transform(chosen.transform(texts["test"])),
    }
    tensors: dict[str, Tensor] = {}
    for split, matrix in rows.items():
        narrow = matrix.astype(np.float32)
        narrow.resize(matrix.shape[0], features)  # there may be fewer words than features
        tensors[f"{split}.x"] = torch.from_numpy(narrow.toarray())
        tensors[f"{split}.y"] = torch.tensor(labels[split])
    return tensors
