"""To give away: the packed bundle, the exported network, and what its result states about the slide it is given."""

from scangen_bundle.share.archive import write_archive
from scangen_bundle.share.licences import check_redistribution
from scangen_bundle.share.reference import SiteReference
from scangen_bundle.share.statement import objections, refuse, state

__all__ = ["SiteReference", "check_redistribution", "objections", "refuse", "state", "write_archive"]
