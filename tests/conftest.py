"""Settings for every test: loopback is reached directly, whatever proxy the machine is behind."""

from __future__ import annotations

import os

os.environ["NO_PROXY"] = "*"
os.environ["no_proxy"] = "*"
