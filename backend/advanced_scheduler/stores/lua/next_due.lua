-- Look for the earliest due time of what may be claimed then.
-- returns  microseconds as text, or nil
return earliest()
