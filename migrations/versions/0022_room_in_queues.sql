-- A message is leased by an update of its row, whose body is large: with room beside it on its page the row is not
-- entered into every index anew.
ALTER TABLE broker_messages SET (fillfactor = 50);
