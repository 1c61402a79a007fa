"""What runs: lines, subscriptions, the writer and the pumps, in one TaskGroup, under one supervisor."""
