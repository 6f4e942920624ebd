"""A Kubernetes API server in memory: what a controller or kubectl sees of a cluster, on a loopback port."""

from meshshift.lab.kube.deletion import DeleteOptions
from meshshift.lab.kube.errors import StatusError
from meshshift.lab.kube.faults import Fault, FaultPlan, InterceptedRequest
from meshshift.lab.kube.lifecycle import Options
from meshshift.lab.kube.server import ApiServer
from meshshift.lab.kube.store import Store

__all__ = ["ApiServer", "DeleteOptions", "Fault", "FaultPlan", "InterceptedRequest", "Options", "StatusError", "Store"]
