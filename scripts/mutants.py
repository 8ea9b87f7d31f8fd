"""The planted bugs of scripts/mutants: each is a text to replace, and the suites that must notice."""

import os
import re
import signal
import subprocess
import sys
import time

STORE = "Sources/CaptureStore/"
# `.relaxed` makes the same instructions on x86-64 as `.releasing` and `.acquiring`: no test can tell.
# ThreadSanitizer can.
RACES = "scripts/races"

# name, file, what is there, what is planted, suites that must fail (a regular expression) or RACES.
MUTANTS = [
    (
        "no release store: a record is published before its bytes are there",
        STORE + "SegmentWriter.swift",
        "    unsafe copy(frames, toRecordAt: start)\n",
        "    publish(UInt32(length).littleEndian, at: start)\n"
        "    unsafe copy(frames, toRecordAt: start)\n",
        "PublicationTests",
    ),
    (
        "a record is published before its header is there",
        STORE + "SegmentWriter.swift",
        "    unsafe record.writeHeader(\n",
        "    publish(UInt32(length).littleEndian, at: start)\n    unsafe record.writeHeader(\n",
        "PublicationTests",
    ),
    (
        "the word behind a record is made zero too late",
        STORE + "SegmentWriter.swift",
        "    storeZero(at: end)\n    publish(UInt32(length).littleEndian, at: start)\n",
        "    publish(UInt32(length).littleEndian, at: start)\n    storeZero(at: end)\n",
        "PublicationTests",
    ),
    (
        "the end of a record is told before the record is there",
        STORE + "SegmentWriter.swift",
        "    unsafe copy(frames, toRecordAt: start)\n",
        "    committedEnd.store(end, ordering: .releasing)\n"
        "    unsafe copy(frames, toRecordAt: start)\n",
        "PublicationTests",
    ),
    (
        "the sequence is told before the end",
        STORE + "SegmentWriter.swift",
        "    committedEnd.store(end, ordering: .releasing)\n",
        "    committedSequence.store(next, ordering: .releasing)\n"
        "    committedEnd.store(end, ordering: .releasing)\n",
        "PublicationTests",
    ),
    (
        "a segment is published before its first page is there",
        STORE + "SegmentWriter.swift",
        "    unsafe page.withUnsafeBytes { page in\n",
        "    publish(first, at: 0)\n    unsafe page.withUnsafeBytes { page in\n",
        "PublicationTests",
    ),
    (
        "a length is stored without release",
        STORE + "SegmentWriter.swift",
        "      .pointee.store(word, ordering: .releasing)\n",
        "      .pointee.store(word, ordering: .relaxed)\n",
        RACES,
    ),
    (
        "a length is loaded without acquire",
        STORE + "Segment.swift",
        "        .pointee.load(ordering: .acquiring))\n",
        "        .pointee.load(ordering: .relaxed))\n",
        RACES,
    ),
    (
        "the end of the records is stored without release",
        STORE + "SegmentWriter.swift",
        "    committedEnd.store(end, ordering: .releasing)\n",
        "    committedEnd.store(end, ordering: .relaxed)\n",
        RACES,
    ),
    (
        "the end of what is worth a sync is stored without release",
        STORE + "SegmentWriter.swift",
        "contentEnd.store(end, ordering: .releasing)",
        "contentEnd.store(end, ordering: .relaxed)",
        RACES,
    ),
    (
        "the end of what is worth a sync is loaded without acquire",
        STORE + "SegmentWriter.swift",
        "contentEnd.load(ordering: .acquiring)",
        "contentEnd.load(ordering: .relaxed)",
        RACES,
    ),
    (
        "no salt: the records of a file's former life pass the checks",
        STORE + "Checksum.swift",
        "UInt64(seed)",
        "UInt64(seed) & 0",
        "CorruptionTests|SegmentFormatTests|PowerLoss",
    ),
    (
        "no header check",
        STORE + "SegmentCursor.swift",
        "        == segment.headerCheck(length: length, at: offset)\n",
        "        == segment.load(UInt32.self, at: offset + RecordLayout.headerCheckOffset)\n",
        "CorruptionTests|BitFlip|PowerLoss",
    ),
    (
        "no body check",
        STORE + "SegmentCursor.swift",
        "      guard segment.bodyCheck(body) == record.bodyCheck else {",
        "      guard segment.bodyCheck(body) == record.bodyCheck || body.count > 8 else {",
        "CorruptionTests|BitFlip|PowerLoss",
    ),
    (
        "no directory sync: a new segment's name may be lost",
        STORE + "KeeperWork.swift",
        "      try settings.files.synchronizeDirectory(settings.directory)\n"
        "    } catch {\n      try? segment.discard()",
        "    } catch {\n      try? segment.discard()",
        "PowerLoss",
    ),
    (
        "checkpoint too early: told before the sync",
        STORE + "SegmentWriter.swift",
        "    try mapping.synchronize(synchronizedEnd..<end)\n",
        "",
        "PowerLoss",
    ),
    (
        "a failed sync is forgotten",
        STORE + "KeeperWork.swift",
        "      $0.syncFailure = $0.syncFailure ?? error\n",
        "",
        "FailingCalls",
    ),
    (
        "footer without a sync before it",
        STORE + "SegmentWriter.swift",
        "    try files.synchronize(file, path)\n    // Where space ran out",
        "    // Where space ran out",
        "PowerLoss",
    ),
    (
        "index not clipped: rows past the end of the segments are believed",
        "Sources/CaptureIndex/IndexReader.swift",
        "      guard try !endings.mayHaveLostPower, try index.isBacked(by: capture, endings) else {\n"
        "        return nil\n      }\n",
        "",
        "IndexReaderTests|HostileIndexTests|ReindexTests|PowerLoss",
    ),
    (
        "the space of a segment is not reserved",
        STORE + "SystemCalls.swift",
        "    CLinux.fallocate(file, 0, 0, off_t(size))\n",
        "    Glibc.ftruncate(file, off_t(size))\n",
        "FullDisk",
    ),
    (
        "records behind lost pages are not looked for",
        STORE + "SegmentCursor.swift",
        "    if let header = search.header { return",
        "    if let header = search.header, header < 0 { return",
        "RecoveryTests|PowerLoss",
    ),
    (
        "the sequence of a message that was lost is given again",
        STORE + "UnendedSegment.swift",
        "        if let sequence = damage.sequence { next = max(next, sequence + 1) }\n",
        "",
        "RecoveryTests|PowerLoss",
    ),
    (
        "recovery cuts a segment without its footer",
        STORE + "UnendedSegment.swift",
        "      try files.write(footer, to: file, path, at: end)\n",
        "",
        "RecoveryTests|PowerLoss",
    ),
    (
        "what only the index knew is forgotten",
        STORE + "Recovery.swift",
        "    if let known { recovery.missingBehind = survey.goOn(behind: known) }\n",
        "",
        "RecoveryTests|IndexAgreementTests",
    ),
    (
        "what was kept aside is replaced",
        STORE + "Recovery.swift",
        "    while try files.metadata(name) != nil {\n",
        "    while try files.metadata(name) != nil, count > 3 {\n",
        "RecoveryTests",
    ),
    (
        "an interrupted call is an error",
        STORE + "FileSystem.swift",
        "      if errno == EINTR { continue }\n",
        "",
        "FailingCalls",
    ),
]


def main():
    tree, wanted = sys.argv[1], sys.argv[2:]
    mutants = [m for m in MUTANTS if not wanted or any(w in m[0] for w in wanted)]
    environment = dict(os.environ, ZCAP_TEST_PYTHON=os.path.abspath(".venv/bin/python"))
    environment.setdefault("ZCAP_TEST_SEED", "1")
    # Without a planted bug they pass, else they would prove nothing.
    suites = {m[4] for m in mutants}
    for group in ["|".join(sorted(suites - {RACES})), RACES if RACES in suites else ""]:
        sound = failures(tree, group, environment) if group else []
        if sound:
            sys.exit(f"mutants: without a planted bug these fail: {', '.join(sound)}")
    results = []
    for name, file, old, new, suites in mutants:
        path = os.path.join(tree, file)
        text = open(path).read()
        if text.count(old) != 1:
            sys.exit(f"mutants: {file}: the text of '{name}' is there {text.count(old)} times")
        open(path, "w").write(text.replace(old, new))
        begun = time.monotonic()
        try:
            caught = failures(tree, suites, environment)
        finally:
            open(path, "w").write(text)
        seconds = time.monotonic() - begun
        print(f"{'caught' if caught else 'MISSED'}  {name}  ({seconds:.0f} s)", flush=True)
        results.append((name, caught))
    print("\nBUG  CAUGHT BY")
    for name, caught in results:
        print(name)
        for line in caught or ["NONE"]:
            print(f"    {line}")
    missed = [name for name, caught in results if not caught]
    print(f"{len(results) - len(missed)} of {len(results)} planted bugs were caught")
    sys.exit(1 if missed else 0)


def build(tree, command, environment):
    result = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit("mutants: the copy does not build:\n" + result.stdout[-3000:] + result.stderr[-1000:])


def failures(tree, suites, environment):
    """The tests that failed, or what else ended the run; empty when all passed."""
    if suites == RACES:
        build(tree, [RACES, "--build-only"], environment)
        command = [RACES]
    else:
        tests = ["swift", "build", "--build-tests", "-j", "2"]
        build(tree, tests + ["-Xswiftc", "-no-warnings-as-errors"], environment)
        command = ["swift", "test", "--skip-build", "--filter", suites]
    run = subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )
    try:
        output, _ = run.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        return ["the run did not end"]
    if suites == RACES:
        return [RACES] if run.returncode != 0 else []
    if run.returncode == 0:
        if not re.search(r"Test run with [1-9]\d* tests", output):
            sys.exit(f"mutants: no test matches {suites}")
        return []
    failed = re.findall(r"✘ Test (\S+\(.*?\))(?: with \d+ test cases)? failed", output)
    return sorted(set(failed)) or [f"the run ended with {run.returncode}"]


main()
