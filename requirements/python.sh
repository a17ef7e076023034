# Say which Python the virtual environment is made of: the system's own where it has all we need, because
# distributions build theirs with profile-guided and link-time optimisation and version managers seldom do; a worker
# needs a sixth less processor time on it (docs/benchmarks.md). Otherwise python3, whatever that is.
for python in /usr/bin/python3 python3; do
    "$python" - 2>/dev/null <<'EOF' && break
import ensurepip, os, sys, sysconfig
headers = os.path.join(sysconfig.get_path("include"), "Python.h")  # make native compiles against them
sys.exit(sys.version_info < (3, 11) or not os.path.exists(headers))
EOF
done
echo "$python"
