"""`python -m apps.gpu.miner`: the same program as `aitbc-miner`."""

from apps.gpu.miner.cli import main

raise SystemExit(main())
