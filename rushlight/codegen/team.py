"""The threads that compute: one team a process, in LLVM's language.

This is the target's runtime, written by hand: no emitter writes it, and another target brings its own.  To the loop IR
it is one instruction, `team`, which runs the units of a kernel and returns when all are done.

A parallel loop is a function of (context, thread, first, last) over its *units*.  `rushlight_team_run` opens a job,
wakes whoever sleeps, and works itself; the units are cut into one range a thread and a few pieces a range, and who is
through with his range helps with the others'.  Of a range of n pieces (n - c)^2 / n^2 is left before piece c: what is
left to help with is cut small, for units differ in cost, and threads in speed.  The caller never waits for a thread
that has not begun: when no piece is left it closes the job and waits for those inside.  Threads are made when a job
first wants them, watch for the next job for some microseconds, then sleep; they run nothing but jobs, and no signal is
delivered to them.

One word, STATE, says everything: how many are inside (16 bits), whether the job is open (bit 16), its number (the
rest).  A child of `fork` starts without threads and makes its own.  A second thread of Python that comes while a job
runs works alone, and so does every system without POSIX threads.

Whoever watches gives way every microsecond or so: on a busy machine the watcher may sit on the very processor that
the one it watches for is waiting for.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import signal
import time
from string import Template
from typing import TYPE_CHECKING, Any

from .imports import RUN
from .processor import architecture, processors

if TYPE_CHECKING:
    from .machine import Machine

MOST = 64  # threads at most
PIECES = 8  # pieces of a thread's range, each smaller than the one before: whoever is late loses little
SPIN = 500_000  # nanoseconds a thread watches for the next job before it sleeps: waking it costs 10 to 40 microseconds
PATIENCE = 4096  # turns, some 100 microseconds, that the caller watches for the others to end before it sleeps, too
STACK = 8 << 20  # bytes: a kernel's scratch memory lies on it
OPEN, NUMBER = 1 << 16, 17  # the bit of an open job; where its number begins
LAYOUT = {
    "STATE": 0, "SLEEPERS": 128, "BUSY": 192, "FUNCTION": 256, "CONTEXT": 264, "UNITS": 272, "THREADS": 280,
    "WANTED": 320, "MADE": 328, "STOP": 336, "WAITING": 344, "MUTEX": 384, "CONDITION": 512, "FINISHED": 576,
    "ATTRIBUTES": 640, "HANDLES": 768, "NEXT": 768 + 8 * MOST,
}  # fmt: skip
SIZE = LAYOUT["NEXT"] + 64 * MOST

DECLARATIONS = """
@team = internal global [$SIZE x i8] zeroinitializer, align 128
declare i32 @clock_gettime(i32, ptr)
declare i32 @sched_yield()
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_attr_init(ptr)
declare i32 @pthread_attr_setstacksize(ptr, i64)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
"""

WORK = """
define internal i64 @begin(i64 %high, i64 %length, i64 %pieces, i64 %c) {
  %after = sub i64 %pieces, %c
  %square = mul i64 %after, %after
  %whole = mul i64 %pieces, %pieces
  %share = mul i64 %length, %square
  %left = udiv i64 %share, %whole
  %at = sub i64 %high, %left
  ret i64 %at
}

define internal void @work(ptr %function, ptr %context, i64 %units, i64 %threads, i64 %me) {
entry:
  br label %range
range:
  %turn = phi i64 [0, %entry], [%turn.next, %done]
  %sum = add i64 %me, %turn
  %r = urem i64 %sum, %threads
  %r.next = add i64 %r, 1
  %low.all = mul i64 %units, %r
  %low = udiv i64 %low.all, %threads
  %high.all = mul i64 %units, %r.next
  %high = udiv i64 %high.all, %threads
  %length = sub i64 %high, %low
  %pieces = call i64 @llvm.umin.i64(i64 %length, i64 $PIECES)
  %line = mul i64 %r, 64
  %next = getelementptr i8, ptr $NEXT, i64 %line
  br label %take
take:
  %c = atomicrmw add ptr %next, i64 1 monotonic
  %left = icmp ult i64 %c, %pieces
  br i1 %left, label %piece, label %done
piece:
  %first = call i64 @begin(i64 %high, i64 %length, i64 %pieces, i64 %c)
  %c.next = add i64 %c, 1
  %last = call i64 @begin(i64 %high, i64 %length, i64 %pieces, i64 %c.next)
  %some = icmp ult i64 %first, %last
  br i1 %some, label %call, label %take
call:
  call void %function(ptr %context, i64 %me, i64 %first, i64 %last)
  br label %take
done:
  %turn.next = add i64 %turn, 1
  %more = icmp ult i64 %turn.next, %threads
  br i1 %more, label %range, label %out
out:
  ret void
}
"""

WORKER = """
define internal i64 @now() {
  %time = alloca [2 x i64], align 16
  %answer = call i32 @clock_gettime(i32 $CLOCK, ptr %time)
  %seconds = load i64, ptr %time
  %at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %at
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}

define internal i1 @is_new(i64 %state, i64 %last) {
  %bit = and i64 %state, $OPEN
  %open = icmp ne i64 %bit, 0
  %number = lshr i64 %state, $NUMBER
  %other = icmp ne i64 %number, %last
  %both = and i1 %open, %other
  ret i1 %both
}

define internal ptr @worker(ptr %argument) {
entry:
  %me = ptrtoint ptr %argument to i64
  br label %idle
idle:
  %last = phi i64 [0, %entry], [%last, %risen], [%number, %left]
  %start = call i64 @now()
  br label %watch
watch:
  %k = phi i64 [0, %idle], [%k.next, %pause], [%k.next, %clock]
  %state = load atomic i64, ptr $STATE seq_cst, align 8
  %new = call i1 @is_new(i64 %state, i64 %last)
  br i1 %new, label %try, label %pause
try:
  %inside = add i64 %state, 1
  %swap = cmpxchg ptr $STATE, i64 %state, i64 %inside seq_cst seq_cst
  %swapped = extractvalue { i64, i1 } %swap, 1
  br i1 %swapped, label %enter, label %pause
pause:
  call void $PAUSE
  %k.next = add i64 %k, 1
  %few = and i64 %k.next, 31
  %due = icmp eq i64 %few, 0
  br i1 %due, label %clock, label %watch
clock:
  %yielded = call i32 @sched_yield()
  %now = call i64 @now()
  %spent = sub i64 %now, %start
  %late = icmp ugt i64 %spent, $SPIN
  br i1 %late, label %sleep, label %watch
sleep:
  %locked = call i32 @pthread_mutex_lock(ptr $MUTEX)
  %sleepers = atomicrmw add ptr $SLEEPERS, i64 1 seq_cst
  br label %look
look:
  %stop = load atomic i64, ptr $STOP seq_cst, align 8
  %stopped = icmp ne i64 %stop, 0
  %seen = load atomic i64, ptr $STATE seq_cst, align 8
  %called = call i1 @is_new(i64 %seen, i64 %last)
  %up = or i1 %stopped, %called
  br i1 %up, label %rise, label %wait
wait:
  %waited = call i32 @pthread_cond_wait(ptr $CONDITION, ptr $MUTEX)
  br label %look
rise:
  %others = atomicrmw sub ptr $SLEEPERS, i64 1 seq_cst
  %unlocked = call i32 @pthread_mutex_unlock(ptr $MUTEX)
  br i1 %stopped, label %out, label %risen
risen:
  br label %idle
enter:
  %number = lshr i64 %state, $NUMBER
  %threads = load i64, ptr $THREADS
  %mine = icmp ult i64 %me, %threads
  br i1 %mine, label %do, label %leave
do:
  %function = load ptr, ptr $FUNCTION
  %context = load ptr, ptr $CONTEXT
  %units = load i64, ptr $UNITS
  call void @work(ptr %function, ptr %context, i64 %units, i64 %threads, i64 %me)
  br label %leave
leave:
  %gone = atomicrmw sub ptr $STATE, i64 1 seq_cst
  %waiting = load atomic i64, ptr $WAITING seq_cst, align 8
  %awaited = icmp ne i64 %waiting, 0
  br i1 %awaited, label %tell, label %left
tell:
  %held = call i32 @pthread_mutex_lock(ptr $MUTEX)
  %told = call i32 @pthread_cond_broadcast(ptr $FINISHED)
  %released = call i32 @pthread_mutex_unlock(ptr $MUTEX)
  br label %left
left:
  br label %idle
out:
  ret ptr null
}
"""

CALLER = """
define internal void @hire(i64 %wanted) {
entry:
  %all = alloca [128 x i8], align 16
  %before = alloca [128 x i8], align 16
  %filled = call i32 @sigfillset(ptr %all)
  %masked = call i32 @pthread_sigmask(i32 $MASK, ptr %all, ptr %before)
  br label %more
more:
  %made = load i64, ptr $MADE
  %lack = icmp ult i64 %made, %wanted
  br i1 %lack, label %make, label %out
make:
  %argument = inttoptr i64 %made to ptr
  %handle = getelementptr i64, ptr $HANDLES, i64 %made
  %failed = call i32 @pthread_create(ptr %handle, ptr $ATTRIBUTES, ptr @worker, ptr %argument)
  %fine = icmp eq i32 %failed, 0
  br i1 %fine, label %hired, label %refused
hired:
  %count = add i64 %made, 1
  store i64 %count, ptr $MADE
  br label %more
refused:
  store i64 %made, ptr $WANTED
  br label %out
out:
  %restored = call i32 @pthread_sigmask(i32 $MASK, ptr %before, ptr null)
  ret void
}

define void @rushlight_team_run(ptr %function, ptr %context, i64 %units) {
entry:
  %wanted = load i64, ptr $WANTED
  %useful = call i64 @llvm.umin.i64(i64 %wanted, i64 %units)
  %several = icmp ugt i64 %useful, 1
  br i1 %several, label %try, label %alone
try:
  %swap = cmpxchg ptr $BUSY, i64 0, i64 1 seq_cst seq_cst
  %ours = extractvalue { i64, i1 } %swap, 1
  br i1 %ours, label %count, label %alone
count:
  %made = load i64, ptr $MADE
  %lack = icmp ult i64 %made, %useful
  br i1 %lack, label %more, label %prepare
more:
  call void @hire(i64 %useful)
  br label %prepare
prepare:
  %here = load i64, ptr $MADE
  %threads = call i64 @llvm.umin.i64(i64 %useful, i64 %here)
  store ptr %function, ptr $FUNCTION
  store ptr %context, ptr $CONTEXT
  store i64 %units, ptr $UNITS
  store i64 %threads, ptr $THREADS
  br label %clear
clear:
  %r = phi i64 [0, %prepare], [%r.next, %clear]
  %line = mul i64 %r, 64
  %next = getelementptr i8, ptr $NEXT, i64 %line
  store atomic i64 0, ptr %next monotonic, align 8
  %r.next = add i64 %r, 1
  %again = icmp ult i64 %r.next, %threads
  br i1 %again, label %clear, label %open
open:
  %before = load atomic i64, ptr $STATE monotonic, align 8
  %renumbered = add i64 %before, $ONE
  %opened = or i64 %renumbered, $OPEN
  store atomic i64 %opened, ptr $STATE seq_cst, align 8
  %sleepers = load atomic i64, ptr $SLEEPERS seq_cst, align 8
  %asleep = icmp ne i64 %sleepers, 0
  br i1 %asleep, label %wake, label %work
wake:
  %locked = call i32 @pthread_mutex_lock(ptr $MUTEX)
  %unlocked = call i32 @pthread_mutex_unlock(ptr $MUTEX)
  %called = call i32 @pthread_cond_broadcast(ptr $CONDITION)
  br label %work
work:
  call void @work(ptr %function, ptr %context, i64 %units, i64 %threads, i64 0)
  %closed = atomicrmw and ptr $STATE, i64 $CLOSED seq_cst
  br label %wait
wait:
  %k = phi i64 [0, %work], [%k.next, %pause], [%k.next, %more.time]
  %state = load atomic i64, ptr $STATE seq_cst, align 8
  %inside = and i64 %state, $INSIDE
  %empty = icmp eq i64 %inside, 0
  br i1 %empty, label %free, label %pause
pause:
  call void $PAUSE
  %k.next = add i64 %k, 1
  %few = and i64 %k.next, 127
  %due = icmp eq i64 %few, 0
  br i1 %due, label %more.time, label %wait
more.time:
  %yielded = call i32 @sched_yield()
  %long = icmp ugt i64 %k.next, $PATIENCE
  br i1 %long, label %doze, label %wait
doze:
  %held = call i32 @pthread_mutex_lock(ptr $MUTEX)
  store atomic i64 1, ptr $WAITING seq_cst, align 8
  br label %look
look:
  %seen = load atomic i64, ptr $STATE seq_cst, align 8
  %still = and i64 %seen, $INSIDE
  %through = icmp eq i64 %still, 0
  br i1 %through, label %rise, label %sleep
sleep:
  %slept = call i32 @pthread_cond_wait(ptr $FINISHED, ptr $MUTEX)
  br label %look
rise:
  store atomic i64 0, ptr $WAITING seq_cst, align 8
  %released = call i32 @pthread_mutex_unlock(ptr $MUTEX)
  br label %free
free:
  store atomic i64 0, ptr $BUSY release, align 8
  ret void
alone:
  call void %function(ptr %context, i64 0, i64 0, i64 %units)
  ret void
}
"""

LIFE = """
define ptr @rushlight_team_reset() {
  call void @llvm.memset.p0.i64(ptr @team, i8 0, i64 $SIZE, i1 false)
  store i64 1, ptr $WANTED
  store i64 1, ptr $MADE
  %mutex = call i32 @pthread_mutex_init(ptr $MUTEX, ptr null)
  %condition = call i32 @pthread_cond_init(ptr $CONDITION, ptr null)
  %finished = call i32 @pthread_cond_init(ptr $FINISHED, ptr null)
  %attributes = call i32 @pthread_attr_init(ptr $ATTRIBUTES)
  %stack = call i32 @pthread_attr_setstacksize(ptr $ATTRIBUTES, i64 $STACK)
  ret ptr $WANTED
}

define void @rushlight_team_stop() {
entry:
  store i64 1, ptr $WANTED
  store atomic i64 1, ptr $STOP seq_cst, align 8
  %locked = call i32 @pthread_mutex_lock(ptr $MUTEX)
  %unlocked = call i32 @pthread_mutex_unlock(ptr $MUTEX)
  %called = call i32 @pthread_cond_broadcast(ptr $CONDITION)
  br label %more
more:
  %made = load i64, ptr $MADE
  %left = icmp ugt i64 %made, 1
  br i1 %left, label %join, label %out
join:
  %one = sub i64 %made, 1
  store i64 %one, ptr $MADE
  %place = getelementptr i64, ptr $HANDLES, i64 %one
  %handle = load i64, ptr %place
  %joined = call i32 @pthread_join(i64 %handle, ptr null)
  br label %more
out:
  ret void
}
"""

ALONE = """
@alone = internal global i64 1
define void @rushlight_team_run(ptr %function, ptr %context, i64 %units) {
  call void %function(ptr %context, i64 0, i64 0, i64 %units)
  ret void
}
define ptr @rushlight_team_reset() {
  ret ptr @alone
}
define void @rushlight_team_stop() {
  ret void
}
"""


def text(processor: str, posix: bool = os.name == "posix") -> str:
    """The team in LLVM's language, for a processor as LLVM's triples name it."""
    if not posix:
        return ALONE
    pause = "@llvm.x86.sse2.pause()" if processor.startswith(("x86_64", "i686")) else "@llvm.aarch64.hint(i32 1)"
    declared = "declare void @llvm.x86.sse2.pause()" if "x86" in pause else "declare void @llvm.aarch64.hint(i32)"
    values = {name: f"getelementptr (i8, ptr @team, i64 {offset})" for name, offset in LAYOUT.items()}
    values |= {name: str(value) for name, value in _numbers().items()}
    source = DECLARATIONS + declared + WORK + WORKER + CALLER + LIFE
    return Template(source).substitute(values, PAUSE=pause)


def _numbers() -> dict[str, int]:
    return {
        "SIZE": SIZE, "PIECES": PIECES, "SPIN": SPIN, "PATIENCE": PATIENCE, "STACK": STACK, "OPEN": OPEN,
        "NUMBER": NUMBER,
        "ONE": 1 << NUMBER, "CLOSED": ~OPEN, "INSIDE": OPEN - 1, "CLOCK": getattr(time, "CLOCK_MONOTONIC", 1),
        "MASK": getattr(signal, "SIG_SETMASK", 2),
    }  # fmt: skip


class Team:
    """The team's code, linked; its threads come and go inside."""

    def __init__(self, here: Machine) -> None:
        names = ["rushlight_team_reset", "rushlight_team_stop"]
        self.library = here.link(text(architecture()), [RUN, *names])
        self.address = self.library[RUN]
        self._reset: Any = ctypes.CFUNCTYPE(ctypes.c_void_p)(self.library[names[0]])
        self._stop: Any = ctypes.CFUNCTYPE(None)(self.library[names[1]])
        self.wanted = ctypes.c_int64()
        self.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.start)
        atexit.register(self._stop)  # no thread may be in this code when LLVM takes its memory back

    def start(self) -> None:
        """A team without threads: they come with the first job."""
        self.wanted = ctypes.c_int64.from_address(self._reset())
        self.wanted.value = min(_threads["wanted"], MOST)


@functools.cache
def team() -> Team:
    """The one Team of the process."""
    from .machine import machine

    return Team(machine())


def usual_threads() -> int:
    """As many threads as OMP_NUM_THREADS says, else as there are processors for this process."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if said.isdigit() and int(said) > 0:
        return int(said)
    return processors()


_threads = {"wanted": usual_threads()}


def get_threads() -> int:
    """How many threads compute."""
    return min(_threads["wanted"], MOST)


def set_threads(count: int) -> None:
    """Sets how many threads compute, from the next parallel loop on."""
    _threads["wanted"] = count
    if team.cache_info().currsize:
        team().wanted.value = min(count, MOST)
