"""What asks DNS about a sender: SPF, DKIM, ARC and DMARC."""
