"""Everything specific to Asterisk: the AMI link (a hardened panoramisk), events, snapshot, provisioning."""
