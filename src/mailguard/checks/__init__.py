"""The checks, one file each, none of which imports another. The order here is the reference's;
the order of a district's policy is its own."""
