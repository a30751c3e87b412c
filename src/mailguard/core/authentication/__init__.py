"""What domains say of a message, as pure rules: DMARC, DKIM, ARC, Authentication-Results."""
