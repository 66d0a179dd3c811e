"""What the programs beside this file share: timing over short chunks, and a line of JSON. `cpu` is the processor time of a step: where it is
less than the wall time, something else had the processor for a while."""
import json
import time


def measure(lib, point, run, seconds, **more):
    """`run(n)` does n training steps and waits for them. Warms up, then times chunks of about 20 ms."""
    run(1)
    n, end = 1, time.perf_counter() + seconds / 3
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(n)
        taken = time.perf_counter() - start
        if taken < 0.02:
            n = min(2 * n, max(n + 1, int(n * 0.02 / max(taken, 1e-7))))
    times, end, cpu = [], time.perf_counter() + seconds, time.process_time()
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run(n)
        times.append((time.perf_counter() - start) / n * 1e6)
    cpu = (time.process_time() - cpu) / (n * len(times)) * 1e6
    times.sort()
    at = lambda share: round(times[round((len(times) - 1) * share)], 2)
    answer = {"lib": lib, "point": point, "us": at(0.5), "p10": at(0.1), "p90": at(0.9), "cpu": round(cpu, 2), **more}
    print(json.dumps(answer), flush=True)
