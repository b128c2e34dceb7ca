"""To give away: the packed bundle, the exported network, and what its result states about the slide it is given."""

from scangen_bundle.share.archive import write_archive
from scangen_bundle.share.licences import check_redistribution

__all__ = ["check_redistribution", "write_archive"]
