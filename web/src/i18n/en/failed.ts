// Written by scripts/stream_types.py from domain/delivery_failures.py: change that, then `make stream-types`.
export default {
  "answered": "HTTP {status}",
  "answered_with": "HTTP {status}: {said}",
  "no_answer": "no answer within {seconds} s",
  "no_connection": "no connection ({kind}: {text})",
  "not_accepted": "HTTP {status}, but not accepted: {said}",
  "not_signed": "not sent, for it cannot be signed: {text}",
  "redirected": "HTTP {status} (redirects are not followed: configure the final URL)"
}
