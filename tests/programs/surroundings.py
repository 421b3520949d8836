"""Everything a program can see of how it was started."""

import __main__
import atexit
import inspect
import os
import pickle
import sys
import threading


class Thing:
    """Pickled by its name in __main__."""

    def __del__(self):
        print("torn down", file=sys.stdout)


atexit.register(print, "registered first, printed last")
atexit.register(lambda: print("at exit", threading.active_count()))
number: int = 3
print(list(globals()))
print(__name__, __file__, __doc__, __package__, __spec__, __annotations__, __cached__, __builtins__)
print(type(__loader__).__name__, __loader__.name, __loader__.path, __loader__.get_filename())
print(sys.argv, sys.orig_argv[1:], sys.path, sys.flags, sys.warnoptions, os.getcwd())
print(sys.modules["__main__"].__dict__ is globals(), __main__.number, sys.executable)
print(pickle.loads(pickle.dumps(Thing)) is Thing, inspect.getsource(Thing).splitlines()[0])
print(inspect.currentframe().f_code.co_filename, len(threading.enumerate()), threading.current_thread().name)
print(sys.excepthook is sys.__excepthook__, sys.stdout is sys.__stdout__, sys.gettrace(), sys.getrecursionlimit())
print("torch" in sys.modules, "numpy" in sys.modules, os.environ.get("PYTHONPATH"))
print(repr(sys.stdin.read()))
thing = Thing()
