"""What all sessions of a process share."""

from dataclasses import dataclass, field

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger.retrying import RetryingLedger
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.fetch import LinkPolicy
from hailuo_mcp.media.given import FileRules
from hailuo_mcp.service.balances import Balances
from hailuo_mcp.service.changes import JobChanges
from hailuo_mcp.service.credentials import Credentials
from hailuo_mcp.service.image_uploads import ImageUploads
from hailuo_mcp.service.long_poll import LongPolls
from hailuo_mcp.service.model_choice import ChoiceNotes
from hailuo_mcp.service.poll_policy import PollPolicy
from hailuo_mcp.service.poller import Poller
from hailuo_mcp.service.posters import Posters
from hailuo_mcp.service.signed_urls import SignedUrls
from hailuo_mcp.service.single_flight import SingleFlight
from hailuo_mcp.service.transfers import Transfers


@dataclass(frozen=True, slots=True)
class Services:
    """Built and opened once, by `app.build_services`; a `Session` uses them for one caller."""

    settings: Settings
    catalog: Catalog
    credentials: Credentials
    ledger: RetryingLedger
    submissions: SingleFlight[Job]
    """Submissions in flight. They outlive the calls that wait for them, and end before the services are closed."""
    clips: ClipStore
    file_rules: FileRules
    transfers: Transfers
    poll_policy: PollPolicy
    poller: Poller
    long_polls: LongPolls
    changes: JobChanges
    urls: SignedUrls | None
    """Over HTTP only: the URLs at which callers fetch clips and gateways call back."""
    uploads: ImageUploads | None = None
    """Over HTTP only: the images that callers upload."""
    link_policy: LinkPolicy = field(default_factory=lambda: LinkPolicy(frozenset()))
    """Which temporary image links from callers may be followed."""
    balances: Balances = field(default_factory=Balances)
    choice_notes: ChoiceNotes = field(default_factory=ChoiceNotes)
    posters: Posters = field(default_factory=Posters)
