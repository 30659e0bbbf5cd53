// Written by scripts/stream_types.py from domain/delivery_failures.py: change that, then `make stream-types`.
export default {
  "answered": "HTTP {status}",
  "answered_with": "HTTP {status}: {said}",
  "map_fails": "not sent, for the mapping fails at {place}: {text}",
  "map_missing": "not sent, for the mapping at {place} needs what this order lacks: {text}; give it a default there",
  "map_no_code": "not sent, for the mapping at {place} finds no code for {value}; add it to [tables.{table}], or give that a default",
  "no_answer": "no answer within {seconds} s",
  "no_connection": "no connection ({kind}: {text})",
  "not_accepted": "HTTP {status}, but not accepted: {said}",
  "not_signed": "not sent, for it cannot be signed: {text}",
  "request_answered": "request {request}: HTTP {status}: {said}",
  "redirected": "HTTP {status} (redirects are not followed: configure the final URL)"
}
