"""The models of the Directory."""

from directory.models.companies import CLASSIFICATIONS, Company, EntityType
from directory.models.company_imports import CompanyImport
from directory.models.insurances import Insurance
from directory.models.project_companies import ProjectCompany
from directory.models.settings import Department, RequiredFields
from directory.models.trades import Trade

__all__ = [
    "CLASSIFICATIONS",
    "Company",
    "CompanyImport",
    "Department",
    "EntityType",
    "Insurance",
    "ProjectCompany",
    "RequiredFields",
    "Trade",
]
