"""The job service over HTTP: AWS JSON 1.1 signed with SigV4, for the aws cli, SDKs and a team server."""
