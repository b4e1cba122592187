//! A namespace of a real cluster, by `kubectl` and `helm` as `$PATH` and `$KUBECONFIG` find them.
