"""Where the tests find what they read: the checkout's folders, and data beside it."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
SUPPORT = TESTS / "support"
GOLDEN = TESTS / "golden"
CORRUPT = TESTS / "corrupt"
SHARED = ROOT.parent / "shared"  # photographs and known answers; not part of the project
