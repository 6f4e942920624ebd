"""What would go wrong with a set of manifests: small pure rules, each of them documents in and findings out."""
