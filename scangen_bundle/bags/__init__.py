"""Vectors on disk: the feature-bag store and other tools' layouts."""

from scangen_bundle.bags.attributes import BagAttributes
from scangen_bundle.bags.bag import FeatureBag
from scangen_bundle.bags.open import open_bag
from scangen_bundle.bags.writer import open_writer, write_bag

__all__ = ["BagAttributes", "FeatureBag", "open_bag", "open_writer", "write_bag"]
