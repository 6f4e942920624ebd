"""Istio's documents in, a running Envoy's configuration out: what istiod does for one client sidecar.

Pure translation lives in `world` (what there is), `clusters`, `routes`, `matches` and `snapshot`; `proxy` owns the
Envoy process and the files it watches; `push` watches the API server and decides when to write them.  The translation
follows Istio 1.32's source (pilot/pkg/networking/core); each module names the file that it follows.
"""
