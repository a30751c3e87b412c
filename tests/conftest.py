"""What all tests share. Peers are in peers.py and postfix.py, our own server in serving.py."""
