"""The nodes of an account: their enrolment, their tags and the checks that they run."""
