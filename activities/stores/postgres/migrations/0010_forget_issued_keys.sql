-- Issued keys are forgotten by their age.
create index issued_key_to_forget on hapax.issued_key (issued_at);
