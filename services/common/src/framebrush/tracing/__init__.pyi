from .spans import carried as carried
from .spans import message_span as message_span
from .spans import record as record
from .spans import start_tracing as start_tracing
from .spans import trace_id as trace_id
