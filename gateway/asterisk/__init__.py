"""All that knows Asterisk: the AMI link (panoramisk hardened), events, snapshot, actions, provisioning."""
