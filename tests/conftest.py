"""What all tests share: nothing yet but this place. Peers are in peers.py, servers in serving.py."""
