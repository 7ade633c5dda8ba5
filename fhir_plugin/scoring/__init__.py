"""The steps of scoring one questionnaire: which instrument it is, what each answer counts, what follows."""
